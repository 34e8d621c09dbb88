#pragma once

/* "SIGKILL" of 9; "signal" of one without a name here. */
const char *signal_name(int number);
