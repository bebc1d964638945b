"""Words that everybody uses; no business decision lives here."""
