# test: unit:steps
# file: userspace/lib/step.c
s/fits & UBDX_NAMES_FILE && step->file >= io->q->target->nr_files/false/
