"""Whole campaigns in one process and in virtual time, thousands of them: one seed is one campaign and its accidents."""
