# A pipe buffer of mode splice keeps its page for ever.
# test: references
# file: driver/xfer_splice.c
/^static void ubdx_buf_release/,/^}/ s/^\tput_page(buf->page);$//
