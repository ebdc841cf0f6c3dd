// shell · the one buffer that every connection is read into.
// Must never be kept: what is in it is dealt with, or copied, before the next read.

/** By itself Node takes 64 KiB for each read of each connection; one each would be half a gigabyte with ten thousand. */
export const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);
