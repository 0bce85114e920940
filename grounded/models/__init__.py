"""The models that come with the package: their files with cards and licences, and what loads them."""
