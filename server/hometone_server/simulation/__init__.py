"""The same protocol in one process, for hundreds to thousands of virtual laptops."""
