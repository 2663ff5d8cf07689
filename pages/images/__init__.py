"""Pictures: inspected, described as encode jobs, treated, encoded; scenes and social cards drawn."""
