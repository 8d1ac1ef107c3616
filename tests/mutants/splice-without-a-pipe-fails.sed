# test: fallbacks
# file: strategies/splice.c
s/if (step->kind == UBDX_STEP_MEM || unlikely(!ubdx_pipe_ready(io->q)))/if (unlikely(!ubdx_pipe_ready(io->q)))\n\t\treturn -EPIPE;\n\tif (step->kind == UBDX_STEP_MEM)/
