"""What authors wrote: read, validated, fetched, begun."""
