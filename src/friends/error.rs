//! What can go wrong between two people.

use std::time::Duration;

use crate::{error::Fault, module_error};

#[derive(Debug, thiserror::Error)]
pub enum FriendsError {
    /// Another's friendship, and somebody who has closed the account, look the same.
    #[error("There is no such person or friendship.")]
    NotFound,
    #[error("This is you.")]
    Oneself,
    /// Suspended.
    #[error("This person cannot be asked at the moment.")]
    Unavailable,
    /// By the viewer. Nobody learns that another blocks them.
    #[error("You have blocked this person. Unblock them first.")]
    Blocked,
    #[error("There is no open request to do this with.")]
    WrongState,
    #[error("Your request was declined. You may ask again in {} seconds.", .retry_after.as_secs())]
    Paused { retry_after: Duration },
    #[error("At most {max} of your requests can be waiting. Cancel one first.")]
    TooManyPending { max: u32 },
    #[error("One has at most {max} friends.")]
    TooManyFriends { max: u32 },
    /// The other one.
    #[error("This person has as many friends as one can have.")]
    TheyHaveTooMany,
    #[error("One blocks at most {max} people.")]
    TooManyBlocks { max: u32 },
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(FriendsError);
