# A request without a payload costs more in modes that can refuse one.
# test: metadata-cost
# file: driver/xfer.h
s/^\tif (!ubdx_slot_has_payload(slot))$/\tfor (int i = 0; xfer->refuse \&\& i < 2000; i++)\n\t\tbarrier();\n&/
