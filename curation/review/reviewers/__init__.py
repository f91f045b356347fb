"""Reviewers: how far they agree, how well they look, what they are told, and what a judge may tell them."""
