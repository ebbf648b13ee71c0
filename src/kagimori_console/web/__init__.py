"""The parts that all pages share: requests, answers, forms, headers, rates."""
