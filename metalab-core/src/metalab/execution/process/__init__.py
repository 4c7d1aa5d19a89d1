"""The process executor: runs in processes of their own, which may die."""
