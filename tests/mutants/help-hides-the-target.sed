# test: cli
# file: userspace/cli/main.c
s/"add", "--target NAME \[OPTION...\]"/"add", "[OPTION...]"/
