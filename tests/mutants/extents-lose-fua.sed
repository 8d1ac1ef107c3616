# A FUA WRITE in an extent is an ordinary WRITE for the backing.
# test: powercut
# file: driver/front.c
s/^\tclone->bi_bdev = backing->bdev;/&\n\tclone->bi_opf \&= ~REQ_FUA;/
