"""Reports in a browser: they sort, filter and open runs, and hostile text does nothing."""

import base64
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

import metalab

SECONDS = 30
DRIVER = "/usr/bin/chromedriver"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1280,1000"),
)
HOSTILE = "</script><script>window.ran=1</script><img src=x onerror='window.ran=1'>\u202e\0\"'"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DRAWN = b"""<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="top.ran=1">
<script>window.ran = 1; top.ran = 1</script><rect width="9" height="9"/>
<image href="https://nowhere.invalid/x.png"/></svg>"""
PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
PAPER = {"width": 1032, "height": 700, "deviceScaleFactor": 1, "mobile": False}


@metalab.operation
def learn(params, seeds, capture):
    """Capture curves and accuracies of models; the fastest rate fails."""
    if params["lr"] > 0.2:
        raise ValueError(HOSTILE)
    capture.log(HOSTILE)
    capture.artifact("dot", DOT)
    capture.artifact("drawn " + HOSTILE[:60], DRAWN)
    rng = seeds.rng()
    for step in range(20):
        capture.metric("loss", (1 - params["lr"]) ** step + rng.random() / 20, step=step)
    capture.metric("acc", params["lr"] + rng.random() / 20 + 0.1 * (params["model"] == "svm"))
    capture.metric("said", HOSTILE * 20)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    experiment = metalab.Experiment(
        name="learn",
        version="1",
        context=None,
        description=HOSTILE,
        operation=learn,
        params=metalab.grid(model=["svm", "tree", HOSTILE], lr=[0.01, 0.03, 0.1, 0.3]),
        seeds=metalab.seeds(base=7, replicates=5),
    )
    results = metalab.run(experiment, store=str(folder / "store"), progress=False).result()
    return results.report(folder / "r.html", title="Learning " + HOSTILE, metric="acc")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A browser for all tests of the module: it takes seconds to start."""
    browser = shutil.which("chromium")
    if browser is None or not Path(DRIVER).exists():
        pytest.skip("chromium not installed: `apt-get install chromium chromium-driver`")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(started, page):
    """The browser with the page open; afterwards nothing may have been complained of."""
    started.get("about:blank")
    started.get(page.as_uri())
    wait(started, lambda: started.find_elements(By.CSS_SELECTOR, "#runs tbody tr"))
    yield started
    assert started.get_log("browser") == []
    assert started.execute_script("return window.ran") is None


def wait(browser, condition):
    return WebDriverWait(browser, SECONDS).until(lambda _: condition())


def column(browser, name, section="runs"):
    """Return the texts of a column of a table."""
    return browser.execute_script(
        """const [id, name] = arguments, table = document.querySelector(`#${id} table`);
        const place = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === name);
        return [...table.tBodies[0].rows].map(row => row.cells[place].textContent);""",
        section,
        name,
    )


def press(browser, name, section="runs"):
    heads = browser.find_elements(By.CSS_SELECTOR, f"#{section} th button")
    (found,) = (head for head in heads if head.text == name)
    found.click()


def filtered(browser, text):
    field = browser.find_element(By.CSS_SELECTOR, "#runs input")
    field.clear()
    field.send_keys(text)


def test_a_click_on_a_column_sorts_and_another_turns_it_round(browser):
    press(browser, "acc")
    numbers = list(map(float, column(browser, "acc")[:45]))
    assert numbers == sorted(numbers)
    press(browser, "acc")
    numbers = list(map(float, column(browser, "acc")[:45]))
    assert numbers == sorted(numbers, reverse=True)
    assert column(browser, "acc")[45:] == [""] * 5


def test_runs_are_filtered_by_conditions_and_by_text(browser):
    filtered(browser, "lr < 0.1 and model = svm")
    assert set(column(browser, "param_lr")) == {"0.01", "0.03"}
    assert set(column(browser, "param_model")) == {"svm"}
    filtered(browser, "failed")
    assert column(browser, "status") == ["failed"] * 15


def test_runs_are_shown_page_by_page(browser):
    assert len(column(browser, "status")) == 50
    browser.find_elements(By.CSS_SELECTOR, "#runs .pages button")[1].click()
    assert len(column(browser, "status")) == 10


def test_a_failure_leads_to_a_run_with_its_traceback(browser):
    browser.find_element(By.CSS_SELECTOR, "#failures tbody a").click()
    wait(browser, lambda: browser.find_element(By.ID, "one").is_displayed())
    told = browser.find_element(By.CSS_SELECTOR, "#one pre").get_attribute("textContent")
    assert "Traceback" in told
    assert "window.ran=1</script>" in told


def test_a_link_to_a_run_opens_it_with_its_log(browser, page):
    filtered(browser, "status = success")
    link = browser.find_element(By.CSS_SELECTOR, "#runs tbody a").get_attribute("href")
    browser.get("about:blank")
    browser.get(link)
    wait(browser, lambda: browser.find_element(By.ID, "one").is_displayed())
    assert "window.ran=1" in browser.find_element(By.CSS_SELECTOR, "#one pre").text
    assert len(browser.find_elements(By.CSS_SELECTOR, "#one svg polyline")) == 1


def test_a_run_shows_its_pictures_and_none_of_them_acts(browser):
    filtered(browser, "status = success")
    browser.find_element(By.CSS_SELECTOR, "#runs tbody a").click()
    images = wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#one img"))
    wide = "return arguments[0].complete && arguments[0].naturalWidth"
    assert [wait(browser, lambda i=i: browser.execute_script(wide, i)) for i in images] == [1, 9]
    assert images[1].get_attribute("alt") == "drawn " + HOSTILE[:60]
    assert "dot (builtins/bytes)" in browser.find_element(By.ID, "one").text


def test_the_headline_is_of_the_metric_that_is_chosen(browser):
    assert "lr=0.1, model=svm is ahead by acc" in browser.find_element(By.CLASS_NAME, "lead").text
    chooser = Select(browser.find_element(By.CSS_SELECTOR, "#headline select"))
    chooser.select_by_visible_text("loss: lower is better")
    assert "is ahead by loss" in browser.find_element(By.CLASS_NAME, "lead").text
    assert browser.find_elements(By.CSS_SELECTOR, "#headline svg circle")
    assert browser.find_elements(By.CSS_SELECTOR, "#series svg polygon")


def test_hostile_text_is_shown_as_it_is(browser):
    assert HOSTILE in column(browser, "param_model")
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 2


def test_nothing_overflows_a_phone(browser):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        browser.find_element(By.CSS_SELECTOR, "#runs tbody a").click()
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def on_paper(browser):
    """The browser as it lays out a page of A4 that lies on its side."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PAPER)
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_no_table_is_cut_off(on_paper):
    wide = on_paper.execute_script(
        """return [...document.querySelectorAll("table, .scroll, main")].map(each =>
        Math.max(each.scrollWidth, each.getBoundingClientRect().right));"""
    )
    assert max(wide) <= PAPER["width"]


def test_on_paper_what_is_folded_or_scrolled_is_there_as_a_whole(on_paper):
    on_paper.find_element(By.CSS_SELECTOR, "#failures tbody a").click()
    wait(on_paper, lambda: on_paper.find_element(By.ID, "one").is_displayed())
    trace = on_paper.find_element(By.CSS_SELECTOR, "#one pre")
    assert trace.value_of_css_property("max-height") == "none"
    asked = on_paper.find_element(By.CSS_SELECTOR, "#question dl")
    assert asked.rect["height"] > 0


def test_on_paper_a_filter_is_named_and_an_empty_field_is_not_shown(on_paper):
    field = on_paper.find_element(By.CSS_SELECTOR, "#runs input")
    assert not field.is_displayed()
    on_paper.execute_script(
        "arguments[0].value = 'status = failed'; arguments[0].dispatchEvent(new Event('input'))",
        field,
    )
    assert field.is_displayed()
    assert column(on_paper, "status") == ["failed"] * 15
