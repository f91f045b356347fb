"""The Hugging Face Hub: one commit a model, and the tag `champion` on the one that is live.

release: {mirrors: {hub: my-org/my-model}}      the token is that of HF_TOKEN, or of `hf auth login`

Every model gets a tag of its own (`model-9f3c...`) as well, so that a rollback moves the tag and uploads nothing.
"""

from evaluation.release.mirrors.mirror import ALIAS, Announcement


class Hub:
    """One repository of the Hub (or of what HF_ENDPOINT names)."""

    name = "hub"

    def __init__(self, repository: str, *, is_private: bool = True) -> None:
        self.target = repository
        self._is_private = is_private

    def publish(self, announcement: Announcement) -> str:
        """Upload the model unless it is there, and move the tag.

        Raises:
            huggingface_hub.errors.HfHubHTTPError: whatever the Hub refuses; OSError if it cannot be reached.
        """
        import huggingface_hub

        api = huggingface_hub.HfApi()
        entry, repository = announcement.entry, self.target
        api.create_repo(repository, private=self._is_private, exist_ok=True)
        own_tag = f"model-{entry.model_hash}"
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repository).tags}
        if own_tag not in tags:
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=announcement.folder,
                commit_message=f"{entry.recipe} {entry.model_hash[:12]}: {entry.action} by {entry.who}",
                commit_description="\n".join(f"{name}: {value}" for name, value in announcement.facts().items()),
                delete_patterns="*",  # a commit holds this model and nothing of the one before
            )
            tags[own_tag] = str(commit.oid)
            api.create_tag(repository, tag=own_tag, revision=tags[own_tag])
        if tags.get(ALIAS) != tags[own_tag]:
            if ALIAS in tags:
                api.delete_tag(repository, tag=ALIAS)
            api.create_tag(repository, tag=ALIAS, revision=tags[own_tag])
        return f"{repository}@{tags[own_tag]}"
