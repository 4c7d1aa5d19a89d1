"""An experiment is made again with the ids that are stored, or is refused in words."""

from __future__ import annotations

import json
import shutil

import pytest

import metalab
from retry_site import EXPERIMENT, LAUNCH, OPERATION, STUDY, Site, counts, refusal


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


# The experiment is made where no module shows it.
HIDDEN = """
def main():
    experiment = metalab.Experiment(
        name="study", version="1", context=CONTEXT, operation=work,
        params=PARAMS, param_resolver=RESOLVER, seeds=metalab.seeds(base=1),
        defaults={"d": (1, 2)}, metadata={"who": "me"}, tags=["kept"],
    )
    metalab.run(experiment, progress=False).result()

if __name__ == "__main__":
    main()
"""
PLAIN = {"CONTEXT": "{}", "PARAMS": "metalab.grid(x=[0, 1], d=[(1, 2)])", "RESOLVER": "None"}


def hidden(**parts):
    text = OPERATION + parts.pop("more", "") + HIDDEN
    for name, value in {**PLAIN, **parts}.items():
        text = text.replace(name, value)
    return text


class TestManifest:
    """An experiment that is at no module's top level is made from its manifest."""

    def test_params_defaults_and_tags_are_those_of_the_launch(self, site):
        site.write(hidden())
        site.launch()
        site.get_ready()
        assert counts(site.retried()) == [2, 1, 1, 0]
        runs = metalab.load_results(site.store)
        assert [run.params for run in runs] == [{"x": 0, "d": (1, 2)}, {"x": 1, "d": (1, 2)}]
        assert [run.tags for run in runs] == [["kept"], ["kept"]]

    CONTEXT = """
@metalab.context_spec
class Data:
    table: metalab.FilePath
    folder: metalab.DirPath
    scale: float = 0.5
    pair: tuple = (1, b"2")

work_on = work

@metalab.operation(name="work")
def work(context, params, capture, seeds):
    capture.data("table", Path(context.table).read_text())
    capture.data("folder", sorted(path.name for path in Path(context.folder).iterdir()))
    capture.data("rest", [context.scale, list(context.pair)[0]])
    work_on.function(params, seeds, capture)
"""

    def _with_files(self, site):
        (site.there / "data").mkdir()
        (site.there / "data" / "a.csv").write_text("1,2")
        (site.there / "data" / "b.csv").write_text("1,2")
        context = "Data(metalab.FilePath('data/a.csv'), metalab.DirPath('data', '*.csv'))"
        site.write(hidden(CONTEXT=context, more=self.CONTEXT))
        site.launch()
        site.get_ready()

    def test_files_of_the_context_are_found_from_anywhere(self, site):
        self._with_files(site)
        assert counts(site.retried()) == [2, 1, 1, 0]
        run = metalab.load_results(site.store)[1]
        assert (run.data("table"), run.data("folder"), run.data("rest")) == (
            "1,2",
            ["a.csv", "b.csv"],
            [0.5, 1],
        )

    def test_a_file_that_changed_is_named(self, site):
        self._with_files(site)
        path = site.there / "data" / "a.csv"
        path.write_text("3,4")
        said = refusal(site)
        assert "cannot be planned again as they are stored: the context (" in said
        assert str(path) in said
        assert "changed since" in said

    def test_a_file_that_is_gone_is_named(self, site):
        self._with_files(site)
        (site.there / "data" / "a.csv").unlink()
        assert f"context.table: file not found: {site.there / 'data' / 'a.csv'}" in refusal(site)

    def test_a_resolver_is_found_by_its_name(self, site):
        resolver = "\ndef add(meta, params):\n    return {**params, 'y': params['x'] + 1}\n"
        site.write(hidden(RESOLVER="add", more=resolver))
        site.launch()
        site.get_ready()
        assert counts(site.retried()) == [2, 1, 1, 0]
        assert [run.params["y"] for run in metalab.load_results(site.store)] == [1, 2]

    @pytest.mark.parametrize(
        ("parts", "reason"),
        [
            ({"RESOLVER": "lambda meta, params: params"}, "the param resolver <function "),
            (
                {"PARAMS": "metalab.grid(x=[0, 1]).filter(lambda params: True)"},
                "the FilteredSource cannot be rebuilt: something in it has no description",
            ),
            ({"CONTEXT": "{'text': 'a' * 20000}"}, "context['text'] is a large str, of which"),
        ],
    )
    def test_what_has_no_name_is_refused_in_words(self, site, parts, reason):
        site.write(hidden(**parts))
        site.launch()
        assert reason in refusal(site)

    def test_what_has_no_name_does_no_harm_at_a_top_level(self, site):
        site.write(STUDY.replace("x=[0, 1, 2])", "x=[0, 1, 2]).filter(lambda params: True)"))
        site.launch()
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]


class TestChanges:
    def test_points_that_the_script_has_gained_are_left_to_run(self, site):
        site.write(STUDY)
        site.launch()
        site.write(STUDY.replace("[0, 1, 2]", "[0, 1, 2, 3]"))
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]
        assert site.calls == ["1", "2"]

    def test_params_that_nothing_can_make_again_are_named(self, site):
        text = STUDY.replace("x=[0, 1, 2])", "x=[0, 1, 2]).filter(lambda params: True)")
        site.write(text)
        site.launch()
        site.write(text.replace("lambda params: True", "lambda params: params['x'] < 2"))
        assert "the params of its points changed since; the FilteredSource" in refusal(site)

    def test_captured_values_that_changed_are_named(self, site):
        text = """
            import metalab

            def make(limit):
                @metalab.operation
                def work(params):
                    if params["x"] > limit:
                        raise ValueError
                return work

            experiment = metalab.Experiment(
                name="study", version="1", context={}, operation=make(0),
                params=metalab.grid(x=[0, 1]), seeds=metalab.seeds(base=1),
            )
            if __name__ == "__main__":
                metalab.run(experiment, progress=False).result()
        """
        site.write(text)
        site.launch()
        assert counts(site.retried()) == [2, 0, 1, 1]
        site.write(text.replace("make(0)", "make(5)"))
        said = refusal(site)
        assert "the values that the operation captured changed since" in said
        assert "study:make.<locals>.work cannot be found by its name: it is defined inside" in said

    FIXED = STUDY.replace('(HERE / "ready").exists()', "True")

    def test_cheap_results_of_other_code_are_executed_again(self, site):
        site.write(STUDY)
        site.launch()
        site.get_ready()
        site.write(self.FIXED)
        done = site.retry("--json")
        assert counts(json.loads(done.stdout)) == [3, 3, 0, 0]
        assert "metalab: warning: 1 stored result of study:1 was made by other code" in done.stderr

    def test_results_of_other_code_may_be_kept(self, site):
        site.write(STUDY)
        site.launch()
        site.get_ready()
        site.write(self.FIXED)
        assert counts(site.retried("--on-code-change", "keep")) == [3, 2, 1, 0]
        assert site.calls == ["1", "2"]

    def test_without_a_run_to_retry_nobody_asks_about_the_code(self, site):
        site.write(STUDY)
        site.launch()
        site.get_ready()
        site.write(self.FIXED)
        assert counts(site.retried("--where", "x = 0", "--on-code-change", "error")) == [1, 0, 1, 0]


class TestFiles:
    def test_a_script_that_moved_is_named_with_what_to_do(self, site):
        path = site.write(STUDY)
        site.launch()
        path.rename(site.there / "moved.py")
        said = refusal(site)
        assert said.startswith(f"there is no file {path} any more, which defines the operation ")
        assert "study:work" in said
        assert "metalab run FILE" in said

    def test_an_operation_that_is_gone_is_named(self, site):
        site.write(hidden())
        site.launch()
        site.write(hidden().replace("def work", "def labour"))
        assert "the operation study:work cannot be found by its name: there is none" in refusal(
            site
        )

    def test_a_script_that_fails_is_named_with_its_line(self, site):
        path = site.write(STUDY)
        site.launch()
        site.write("\n1 / 0\n" + STUDY)
        assert refusal(site).startswith(f"{path}:2: ZeroDivisionError")

    def test_what_was_typed_at_a_prompt_is_refused(self, site):
        text = OPERATION.replace("Path(__file__).parent", "Path.cwd()") + EXPERIMENT + LAUNCH
        site.launch("-", input=text)
        assert "was defined at a prompt or in a notebook" in refusal(site)

    def test_an_operation_of_a_package_is_imported(self, site):
        site.write("", "lib/__init__.py")
        site.write(OPERATION.replace(".parent", ".parent.parent"), "lib/work.py")
        site.write("import metalab\nfrom lib.work import work\n" + EXPERIMENT + LAUNCH, "main.py")
        site.launch("main.py")
        (site.there / "main.py").unlink()
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]

    def test_a_script_helps_where_the_operations_module_has_not_all(self, site):
        site.write("", "lib/__init__.py")
        site.write(OPERATION.replace(".parent", ".parent.parent"), "lib/work.py")
        filtered = EXPERIMENT.replace("2])", "2]).filter(lambda params: True)")
        site.write("import metalab\nfrom lib.work import work\n" + filtered + LAUNCH, "main.py")
        site.launch("main.py")
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]
        assert site.calls == ["1", "2"]

    def test_a_module_that_was_run_is_imported(self, site):
        site.write("", "lib/__init__.py")
        site.write(STUDY.replace(".parent", ".parent.parent"), "lib/study.py")
        site.launch("-m", "lib.study")
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]

    def test_a_module_that_launches_when_it_is_imported_is_refused(self, site):
        site.write("", "lib/__init__.py")
        site.write(
            OPERATION.replace(".parent", ".parent.parent") + EXPERIMENT + LAUNCH, "lib/study.py"
        )
        site.launch("-m", "lib.study")
        said = refusal(site)
        assert "the module 'lib.study' of the operation lib.study:work of study:1" in said
        assert "it launches an experiment; put that under if __name__" in said

    def test_a_store_without_launches_and_plans_is_refused(self, site):
        site.write(STUDY)
        site.launch()
        shutil.rmtree(next(site.store.rglob("manifests")))
        assert "does not say from what the runs of study:1 were planned" in refusal(site)
