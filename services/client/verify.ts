// The proxy's reply → verdict: its digest is compared with one that the client made itself.
import type { Id, Packet } from '../shared/packet.ts';

export type Verdict =
  | { kind: 'received'; serverId: Id | null }
  | { kind: 'corrupted'; serverId: Id | null; reason: string }
  | {
      kind: 'refused';
      sentence: string;
      code: string;
      isRetryable: boolean;
      wasSent: boolean;
      trace: string | null;
    };

/**
 * Judges a reply.
 * @param expectedDigest SHA-1 of the payload as 40 lower-case hex digits, or null when the packet had no text to digest
 */
export function judge(reply: Packet, expectedDigest: string | null): Verdict {
  switch (reply.kind) {
    case 'answer':
      return judgeDigest(reply.serverId, reply.digest, expectedDigest);
    case 'error': {
      const { kind: _, ...refusal } = reply;
      return { kind: 'refused', ...refusal };
    }
    case 'fault':
      return corrupted(null, `the reply can't be understood: ${reply.sentence}`);
    default:
      return corrupted(null, `the reply is no answer but a ${reply.kind}`);
  }
}

function judgeDigest(serverId: Id | null, digest: string, expectedDigest: string | null): Verdict {
  if (expectedDigest === null)
    return corrupted(serverId, 'the packet has no text payload that its digest could be of');
  if (digest.toLowerCase() === expectedDigest) return { kind: 'received', serverId };
  return corrupted(serverId, `the digest is ${digest}, and should be ${expectedDigest}`);
}

function corrupted(serverId: Id | null, reason: string): Verdict {
  return { kind: 'corrupted', serverId, reason };
}
