import type { MsgHdrs } from '@nats-io/transport-node';

/** Header that each message of the fleet bears: the subject that it was written to. */
export const MARK = 'Procvision-Subject';

/**
 * Whether a message is what somebody wrote to its subject who may write there. The permissions of a server look at the subject of a request,
 * not at its reply subject: who may ask JetStream anything can name another one's key as the place of the answer, and the server
 * writes its answer there: an acknowledgement, or a stored message whose text he chose. An acknowledgement has no mark; a stored message
 * that was passed on bears the subject that it was stored at (`Nats-Subject`), and each passing on adds one: none is replaced (nats-server
 * 2.15; ADR-31 of NATS).
 *
 * @param isPassedOn whether the message itself came by a direct get or by the server's word of a change, not from a consumer
 */
export function isWrittenAt(subject: string, headers: MsgHdrs | undefined, isPassedOn: boolean): boolean {
  const passed = headers?.values('Nats-Subject') ?? [];
  const isItself = isPassedOn ? passed.length === 1 && passed[0] === subject : passed.length === 0;
  const marks = headers?.values(MARK) ?? [];
  return isItself && marks.length === 1 && marks[0] === subject;
}
