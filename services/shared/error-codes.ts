// The closed set of refusals that a peer can be sent, and whether trying again can help.

/** Every code of a type -1 packet. `isRetryable`: the same request may succeed a moment later. */
export const ERROR_CODES = {
  BAD_JSON: { isRetryable: false },
  FRAME_TOO_LARGE: { isRetryable: false },
  BAD_PACKET: { isRetryable: false },
  UNKNOWN_TYPE: { isRetryable: false },
  PAYLOAD_TOO_LARGE: { isRetryable: false },
  NO_SERVER: { isRetryable: true },
  OVERLOADED: { isRetryable: true },
  UPSTREAM_FAILED: { isRetryable: true },
  UPSTREAM_TIMEOUT: { isRetryable: true },
  REGISTRATION_REFUSED: { isRetryable: false },
  SHUTTING_DOWN: { isRetryable: true },
  TOO_SLOW: { isRetryable: false },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
