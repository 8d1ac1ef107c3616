# A worker waits on a frozen file system.
# test: forward
# file: driver/forward_file.c
s/if (!sb_start_write_trylock(inode->i_sb))/sb_start_write(inode->i_sb); if (false)/
