// pure · which refusals of one proxy are a reason to ask another one at once.
import type { ErrorCode } from '../shared/error-codes.ts';

/** What a proxy says that stops. */
const GOODBYE: ErrorCode = 'SHUTTING_DOWN';
/** What one says that has just started, when its servers have not found it yet. */
const EMPTY: ErrorCode = 'NO_SERVER';

/** Whether the proxy that has refused with this code is to get nothing more. */
export function isGoodbye(code: string): boolean {
  return code === GOODBYE;
}

/** Whether the proxy has refused because it knows no server that could take the request; another proxy may know one. */
export function isEmpty(code: string): boolean {
  return code === EMPTY;
}
