# test: fallbacks
# file: driver/xfer.c
# All CPUs count in one place, and take their time.
s/^\tthis_cpu_inc(slot->q->counts->fallbacks\[reason\]);/\tu64 *n = \&per_cpu_ptr(slot->q->counts, 0)->fallbacks[reason], was = READ_ONCE(*n);\n\tfor (int i = 0; i < 100; i++)\n\t\tcpu_relax();\n\tWRITE_ONCE(*n, was + 1);/
