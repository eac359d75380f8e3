"""Shared by handlers: context, access rules, templates, cookies, responses."""
