# test: numa
# file: driver/device.c
s/return cpu_to_node(cpu);/return NUMA_NO_NODE;/
