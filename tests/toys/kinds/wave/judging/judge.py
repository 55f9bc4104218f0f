"""What a judgement asks of waves: nothing."""
