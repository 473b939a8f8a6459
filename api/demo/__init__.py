"""The demo: ninety days in the life of a school-software company, told by the SDKs that companies really use."""
