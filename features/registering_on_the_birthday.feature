Feature: Registering on one's own birthday
  Nobody likes a greeting for a morning that is over. Who tells us of a birthday before nine is greeted that
  very day; who tells us later hears from us in a year, and is told so.

  Rule: Before nine it is sent today

    Scenario: Registered at breakfast
      Given it is 07:00 on 14 March 2027 in Jakarta
      When Ada, born on 14 March 1990, registers from Jakarta
      Then Ada is told that the next message comes at 09:00 on 14 March 2027 in Jakarta
      And Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Registered at nine sharp
      Given it is 09:00 on 14 March 2027 in Jakarta
      When Ada, born on 14 March 1990, registers from Jakarta
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Her nine o'clock counts, not that of the office
      Given it is 18:00 on 14 March 2027 in Jakarta
      When Grace, born on 14 March 1985, registers from New York
      Then Grace gets 1 birthday message that day, at 09:00 on 14 March 2027 in New York

  Rule: After nine it is next year

    Scenario: Registered a minute after nine
      Given it is 09:01 on 14 March 2027 in Jakarta
      When Ada, born on 14 March 1990, registers from Jakarta
      Then Ada is told that the next message comes at 09:00 on 14 March 2028 in Jakarta
      And Ada gets no message that day

    Scenario: A birthday that is told only after nine
      Given Ada, who lives in Jakarta, has told no birthday
      And it is 15:00 on 14 March 2027 in Jakarta
      When Ada's birthday is corrected to 14 March 1990
      Then Ada gets no message that day

    Scenario: Other corrections of that day do not count as telling it late
      Given Ada was born on 14 March 1990 and lives in Jakarta
      And the service stops at 08:00 on 14 March 2027 in Jakarta
      And it is 10:00 on 14 March 2027 in Jakarta
      When Ada changes her name to Augusta
      And the service starts again
      Then Ada gets 1 birthday message that day, at 10:00 on 14 March 2027 in Jakarta

  Rule: One is not born on one's birthday

    Scenario: A child is registered on the day of birth
      Given it is 07:00 on 14 March 2027 in Jakarta
      When Budi, born on 14 March 2027, registers from Jakarta
      Then Budi is told that the next message comes at 09:00 on 14 March 2028 in Jakarta
      And Budi gets no message that day
      And Budi's birthday message of 14 March 2027 is skipped because it is the day itself
