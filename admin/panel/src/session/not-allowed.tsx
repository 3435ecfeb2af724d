// What people see who are signed in but may not see the panel.
import { Button } from "../ui/button";
import { Empty } from "../ui/empty";
import { signOut } from "./sign-out";
import type { Viewer } from "./viewer";

export function NotAllowed({ viewer }: { viewer: Viewer }) {
  return (
    <main>
      <Empty
        title="This panel is for admins and operators"
        text={`You are signed in as ${viewer.username}. An admin can give your account the role, or you sign in with another one.`}
        action={<Button onClick={signOut}>Sign in as somebody else</Button>}
      />
    </main>
  );
}
