"""`make demo`: sends recordings whose words are known through the whole stack, and checks what comes out."""
