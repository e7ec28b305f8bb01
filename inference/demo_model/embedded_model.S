// The demo model's files, byte for byte; each between two labels.
    .section .rodata

    .macro embed name, path
    .global \name\()_begin
    .global \name\()_end
    .balign 64
\name\()_begin:
    .incbin "\path"
\name\()_end:
    .byte 0
    .endm

    embed sam3_demo_config, "config.json"
    embed sam3_demo_vocab, "vocab.json"
    embed sam3_demo_merges, "merges.txt"
    embed sam3_demo_weights, "model.safetensors"

    .section .note.GNU-stack, "", %progbits
