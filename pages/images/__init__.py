"""Pictures: inspected, planned as encode jobs, treated, encoded; scenes and social cards drawn."""
