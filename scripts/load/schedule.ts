// pure · when each request is due and which policy it asks for. The first step of the load generator.
// Must never look at what became of earlier requests: an open loop does not wait for the system under test.

export type Schedule = {
  /** How many requests the whole run has. */
  count: number;
  /** When request `index` is meant to be sent, in ms after the start of the run. */
  dueMs(index: number): number;
  /** The position, in the list of policies, of the policy that request `index` asks for. */
  policyIndex(index: number): number;
};

/**
 * A fixed rate with the policies taken in turn.
 * @param rate             requests per second, above 0
 * @param durationSeconds  length of the run in seconds; there is at least one request
 * @param policyCount      how many policies take turns, at least 1
 */
export function fixedRate(rate: number, durationSeconds: number, policyCount: number): Schedule {
  return {
    count: Math.max(1, Math.round(rate * durationSeconds)),
    // Multiplied anew for each request: adding up an interval would drift.
    dueMs: (index) => (index * 1000) / rate,
    policyIndex: (index) => index % policyCount,
  };
}
