"""Reviewed items in and out: files in several shapes, webhooks, backups."""
