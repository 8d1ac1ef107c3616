# Mode copy moves the first bio of a request alone.
# test: elevator
# file: driver/payload.h
s/rq_for_each_bvec(bv, rq, rq_iter)/bio_for_each_bvec(bv, rq->bio, rq_iter.iter)/
