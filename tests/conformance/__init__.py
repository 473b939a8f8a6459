"""Cases with known answers, taken from the test suites of other engines, asked of the public models."""
