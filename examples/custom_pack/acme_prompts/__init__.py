"""The pack is data; no code of it is ever run by grounded."""
