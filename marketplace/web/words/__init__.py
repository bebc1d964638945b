"""The words of codes, by subject. Sentences of the screens live here and in the templates only."""
