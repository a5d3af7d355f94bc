/* Apache Arrow C++ is reached through the CArrow target; this module only carries its link flags. */
