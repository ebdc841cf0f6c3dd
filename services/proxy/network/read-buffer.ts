// shell · the one buffer that every connection is read into.
// Must never be kept: what is in it is dealt with, or copied, before the next read.

/**
 * By itself Node takes 64 KiB for each read of each connection; one each would be half a gigabyte with ten thousand. What
 * a connection can't be let take at once is copied and kept, so a read is no larger than two packets.
 */
export const READ_BUFFER = Buffer.allocUnsafeSlow(16_384);

/** More than this waiting to be sent to a client, and nothing more is read from it. */
export const HIGH_WATER_BYTES = 16_384;
