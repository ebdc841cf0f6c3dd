// pure · what the packet code writes is read again: it has to come back as it went in, and stay small where old clients read it.
// Must never write what no caller could ask for.
import type { ErrorCode } from '../../services/shared/error-codes.ts';
import type { Id, Packet } from '../../services/shared/packet.ts';
import { Disagreement, same } from './disagreement.ts';
import type { CodeUnderTest } from './oracle.ts';
import { isWhole } from './reference-json.ts';

const OLD_CLIENTS_READ_BYTES = 1024;
const MAX_ECHO_BYTES = 200;
const DIGEST = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
const RETRYABLE = ['NO_SERVER', 'OVERLOADED', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT', 'SHUTTING_DOWN'];

/** Writes whatever a packet gives cause to write, and reads it again. */
export function checkFormats(code: CodeUnderTest, packet: Packet): void {
  const { formatAnswer, formatHeartbeat, formatLeave, formatRegistered, formatRequest, formatSetup } =
    code.packet;
  switch (packet.kind) {
    case 'request': {
      const { clientId, policy, payload } = packet;
      comesBack(code, formatRequest(clientId, policy, payload), {
        ...packet,
        clientId: clientId,
      });
      comesBack(code, formatAnswer(1, clientId, DIGEST), { kind: 'answer', serverId: 1, digest: DIGEST });
      comesBack(code, formatHeartbeat(clientId), { kind: 'heartbeat' });
      comesBack(code, formatLeave(clientId), { kind: 'leave' });
      checkError(code, 'UPSTREAM_TIMEOUT', payload, { clientId, policy, wasSent: true });
      return;
    }
    case 'setup': {
      const { id, policy, listenPort, canProve, proof } = packet;
      const incarnation = packet.incarnation ?? 'boot';
      const sent = {
        kind: 'setup',
        hasSession: true,
        keepsAlive: true,
        id: id,
        policy,
        policyAsWritten: policy,
        listenPort,
      };
      comesBack(code, formatSetup({ id, policy, listenPort, canProve, proof, incarnation }), {
        ...sent,
        canProve,
        proof,
        incarnation,
      });
      const yes = formatRegistered(id, policy);
      isOneSmallLine(yes);
      same("a proxy's yes comes back", code.packet.parseFromProxy(yes.trimEnd()), { kind: 'registered' });
      const challenge = code.packet.formatChallenge(incarnation);
      same('a challenge comes back', code.packet.parseFromProxy(challenge), {
        kind: 'challenge',
        nonce: incarnation,
      });
      return;
    }
    case 'answer':
    case 'error':
    case 'heartbeat':
    case 'leave':
    case 'legacy-probe':
      checkFault(code, code.packet.unknownType(packet.kind === 'error' ? packet.sentence : packet.kind));
      return;
    case 'fault':
      checkFault(code, packet);
      return;
    default:
      packet satisfies never;
  }
}

function checkFault(code: CodeUnderTest, packet: Extract<Packet, { kind: 'fault' }>): void {
  checkError(code, packet.code, packet.sentence, { ...packet, wasSent: false });
  const bare = JSON.parse(code.packet.formatError(packet.code, packet.sentence));
  same(
    'a refusal without details has none',
    [bare.destid, bare.privPoliId, bare.sent],
    [undefined, undefined, false],
  );
}

function checkError(
  code: CodeUnderTest,
  errorCode: ErrorCode,
  sentence: string,
  details: { clientId?: Id | undefined; policy?: string | undefined; wasSent: boolean },
): void {
  const { clientId, policy, wasSent } = details;
  const text = code.packet.formatError(errorCode, sentence, { clientId, policy, wasSent });
  isOneSmallLine(text);
  const raw = JSON.parse(text);
  const shown = { ...raw, payload: undefined, payloadsize: undefined };
  same('a refusal says who, what and whether to try again', shown, {
    type: -1,
    ...(isEchoed(clientId) ? { destid: clientId } : {}),
    ...(isEchoed(policy) ? { privPoliId: policy } : {}),
    code: errorCode,
    retryable: RETRYABLE.includes(errorCode),
    sent: wasSent,
    payloadsize: undefined,
    payload: undefined,
  });
  same('payloadsize is the size of the payload', raw.payloadsize, Buffer.byteLength(raw.payload));
  if (!raw.payload.isWellFormed()) throw new Disagreement('a refusal is well-formed', text);
  const isShort = sentence.length <= 300 && Buffer.byteLength(JSON.stringify(sentence.toWellFormed())) <= 450;
  if (isShort) same('a short sentence is sent whole', raw.payload, sentence.toWellFormed());
  const wanted = {
    kind: 'error',
    code: errorCode,
    sentence: raw.payload,
    isRetryable: raw.retryable,
    wasSent,
  };
  comesBack(code, text, wanted);
}

function comesBack(code: CodeUnderTest, line: string, expected: object): void {
  const reader = new code.framing.FrameReader(65_536);
  reader.feed(Buffer.from(line));
  if (!reader.next()) throw new Disagreement('what is written is a frame', line);
  const text = reader.bytes.toString('utf8', reader.start, reader.end);
  same('what is written is one line', line, `${text}\n`);
  same('what is written comes back', code.packet.parsePacket(text), expected);
}

function isOneSmallLine(line: string): void {
  const isSmall = Buffer.byteLength(line) < OLD_CLIENTS_READ_BYTES;
  const isOneLine = line.indexOf('\n') === line.length - 1;
  if (!isSmall || !isOneLine) throw new Disagreement('a reply is one line below 1,024 bytes', line);
}

function isEchoed(value: Id | undefined): boolean {
  return (
    value !== undefined && isWhole(`${value}`) && Buffer.byteLength(JSON.stringify(value)) <= MAX_ECHO_BYTES
  );
}
