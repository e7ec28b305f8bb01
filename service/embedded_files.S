// Files that are part of the program, byte for byte; each between two labels.
    .section .rodata

    .macro embed name, path
    .global \name\()_begin
    .global \name\()_end
\name\()_begin:
    .incbin "\path"
\name\()_end:
    .byte 0
    .endm

    embed sam3_openapi, "http/openapi.json"
    embed sam3_concept_aliases, "concept_aliases.tsv"

    .section .note.GNU-stack, "", %progbits
