// How a server proves that it knows the registration token: challenge and response as in CRAM-MD5 (RFC 2195).
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { callerPath, UsageError } from './config.ts';
import type { Claim } from './packet.ts';

export const MIN_TOKEN_BYTES = 16;
// So that a proof for this protocol is none for any other that the same token is used with.
const PURPOSE = 'policy-proxy registration 1';

/**
 * The proof that goes with a claim: HMAC-SHA-256 (RFC 2104) over all of it, 64 hex digits.
 * @param nonce the proxy's challenge, used once
 */
export function proofOf(
  token: Buffer,
  nonce: string,
  { id, policy, listenPort, incarnation }: Claim,
): string {
  // As JSON, so that no two claims read the same.
  const claimed = JSON.stringify([PURPOSE, nonce, String(id), policy, listenPort, incarnation]);
  return createHmac('sha256', token).update(claimed).digest('hex');
}

/** Whether `offered` is the proof, in a time that does not depend on how much of it is right. */
export function isProof(offered: string, token: Buffer, nonce: string, claim: Claim): boolean {
  const right = Buffer.from(proofOf(token, nonce, claim));
  const given = Buffer.from(offered);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** @throws UsageError where the token of former times is set, which was sent in the clear: it would protect nothing */
export function refuseClearToken(prefix: string, environment: NodeJS.ProcessEnv): void {
  if (!environment[`${prefix}_REGISTER_TOKEN`]) return;
  throw new UsageError(
    `${prefix}_REGISTER_TOKEN is no more: put the token into a file, and the file into ${prefix}_REGISTER_TOKEN_FILE.`,
  );
}

/**
 * Reads the token; white space around it does not count.
 * @param name the option that names the file
 * @throws UsageError when there is no file, or no token in it that is long enough
 */
export function readToken(name: string, file: string): Buffer {
  let token: Buffer;
  try {
    // One character a byte: a token may be of any bytes.
    token = Buffer.from(readFileSync(callerPath(file), 'latin1').trim(), 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `${name}: ${file} can't be read (${code}): make one with "openssl rand -hex 32 > FILE".`,
    );
  }
  if (token.length >= MIN_TOKEN_BYTES) return token;
  throw new UsageError(
    `${name}: ${file} has ${token.length} bytes of a token, and at least ${MIN_TOKEN_BYTES} are asked for.`,
  );
}
