// Ends the session and its cookie.
import { client, explain } from "../graphql/client";
import { graphql } from "../graphql/tada";
import { toast } from "../ui/toasts";

const LOG_OUT = graphql(`mutation LogOut { logOut { sessionId userErrors { message } } }`);

export async function signOut() {
  const { error } = await client.mutation(LOG_OUT, {}).toPromise();
  if (error) toast.failed("Could not sign out", explain(error));
  else location.assign("/admin/sign-in");
}
