"""The sources of a publication: read, validated, fetched, created."""
