"""The tracking plan beside the data: the catalog of what came, a plan drafted from it, what deviates from one."""
