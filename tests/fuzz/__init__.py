"""Long fuzzing of contact lists and phone numbers: ``python -m tests.fuzz``."""
