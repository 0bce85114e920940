"""The loop around an answer: make questions, try variants, measure, compare, and learn from what people say of them."""
