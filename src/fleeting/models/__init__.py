"""Networks: one file each, torch, with the paper that it follows."""
