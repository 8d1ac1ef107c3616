# A worker waits on a frozen file system.
# test: forward
# file: driver/file_io.c
s/if (!sb_start_write_trylock(inode->i_sb))/sb_start_write(inode->i_sb); if (false)/
