// Verifying by order: both listings against the ledger, or every byte read back and hashed. And the drill of a loss.
import { useState } from "react";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { DecisionDialog } from "../../ui/decision";
import { toast } from "../../ui/toasts";
import { DRILL, VERIFY } from "./documents";
import type { Runs } from "./runs";
import { MODES } from "./words";

const CONSEQUENCES = {
  SWEEP: "Holds the ledger and both listings against each other. Changes nothing.",
  SCRUB: "Reads both copies of every object and hashes them. Takes long, and changes nothing.",
};

/** `onBegun`: with the id of the run, which may have been under way before. */
async function order(mode: "SWEEP" | "SCRUB", trustListings: boolean, onBegun: (id: string) => void) {
  const { refusal, done } = await perform(VERIFY, { mode, trustListings }, ({ verifyReplicas }) => verifyReplicas);
  if (done) onBegun(done.run.id);
  return refusal;
}

export function VerifyButtons({ runs: { runs, watch } }: { runs: Runs }) {
  const [busy, setBusy] = useState(false);
  const begin = async (mode: "SWEEP" | "SCRUB") => {
    setBusy(true);
    const refusal = await order(mode, false, watch);
    setBusy(false);
    if (refusal) toast.failed("It was not begun", refusal);
  };
  return (["SWEEP", "SCRUB"] as const).map((mode) => {
    const running = runs?.some((run) => run.mode === mode && run.state === "RUNNING");
    return (
      <Button
        key={mode}
        look={mode === "SWEEP" ? "primary" : "plain"}
        disabled={busy || running}
        title={running ? "It runs already." : CONSEQUENCES[mode]}
        onClick={() => begin(mode)}
      >
        {MODES[mode]}
      </Button>
    );
  });
}

/** Objects of a drill. */
const SAMPLE = 100;

export function DrillButton({ runs: { runs, watch } }: { runs: Runs }) {
  const [busy, setBusy] = useState(false);
  const begin = async () => {
    setBusy(true);
    const { refusal, done } = await perform(DRILL, { sample: SAMPLE }, ({ startReplicaDrill }) => startReplicaDrill);
    setBusy(false);
    if (done) watch(done.run.id);
    else if (refusal) toast.failed("It was not begun", refusal);
  };
  const running = runs?.some((run) => run.mode === "DRILL" && run.state === "RUNNING");
  const told = `Rebuilds a server from the replica alone, with ${SAMPLE} objects, and throws it away. Changes nothing.`;
  return (
    <Button disabled={busy || running} title={running ? "It runs already." : told} onClick={begin}>
      {MODES.DRILL}
    </Button>
  );
}

/** The way on where a bucket really has lost its objects, which a verification takes for an answer that is cut short. */
export function BelieveListings({ watch }: Pick<Runs, "watch">) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  const act = async () => {
    const refusal = await order("SWEEP", true, watch);
    if (!refusal) close();
    return refusal;
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Verify and believe the listings…</Button>
      {open && (
        <DecisionDialog
          title="Verify and believe the listings"
          consequence="What a listing does not show is then a finding, and a repair copies it again."
          verb="Verify"
          look="danger"
          phrase="believe the listings"
          act={act}
          onClose={close}
        >
          <p>
            A listing that is far shorter than the ledger is not believed: it is more often a wrong answer than a loss.
            Go on only where a bucket is known to have lost its objects, or is new.
          </p>
        </DecisionDialog>
      )}
    </>
  );
}
